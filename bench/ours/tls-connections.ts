/** As many as a transfer on a local network has. */
export const CONNECTIONS = 4;
