/** The description in the result of a work that moves nothing. */
export const NOTHING = {
  kind: 'vm' as const,
  name: '',
  notes: '',
  machines: [],
  networks: [],
  startOrder: [],
  properties: [],
  eulas: [],
};
