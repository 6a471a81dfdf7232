import { readdir, readFile, readlink } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Gate extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Port on 127.0.0.1 behind the gate; nobody else is told it. */
  target: number;
  /** Connections so far. */
  readonly visits: { let: number; refused: number };
}

/** Whether a connection that came is one of this process. */
export type Owns = (pid: number) => Promise<boolean>;

/**
 * Stands in front of a port and lets only connections of some processes through, as a firewall around a cloud would:
 * whose a connection is, is asked of the kernel. Others are closed at once. Linux only.
 */
export async function openGate(judge: (owns: Owns) => Promise<boolean>, host = '127.0.0.1'): Promise<Gate> {
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  };
  const server = createServer({ pauseOnConnect: true, noDelay: true }, async (client) => {
    track(client);
    const good = await judge((pid) => belongsTo(client, pid));
    gate.visits[good ? 'let' : 'refused']++;
    if (!good || gate.target === 0) return client.destroy();
    const upstream = connect({ host: '127.0.0.1', port: gate.target, noDelay: true });
    track(upstream);
    upstream.once('close', () => client.destroy());
    client.once('close', () => upstream.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const gate: Gate = {
    host,
    port: (server.address() as AddressInfo).port,
    target: 0,
    visits: { let: 0, refused: 0 },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return gate;
}

async function belongsTo(client: Socket, pid: number): Promise<boolean> {
  const inode = await inodeOf(client);
  if (inode === undefined) return false;
  const folder = `/proc/${pid}/fd`;
  for (const name of await readdir(folder).catch(() => [])) {
    if ((await readlink(`${folder}/${name}`).catch(() => '')) === `socket:[${inode}]`) return true;
  }
  return false;
}

/** Of the socket at the client's end, as the kernel lists it: its own port is local there, the gate's is remote. */
async function inodeOf({ remotePort = 0, localPort = 0, remoteFamily }: Socket): Promise<string | undefined> {
  const table = await readFile(remoteFamily === 'IPv6' ? '/proc/net/tcp6' : '/proc/net/tcp', 'utf8');
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  for (const line of table.split('\n')) {
    const [, local = '', remote = '', , , , , , , inode] = line.trim().split(/\s+/);
    if (local.endsWith(`:${hex(remotePort)}`) && remote.endsWith(`:${hex(localPort)}`)) return inode;
  }
  return undefined;
}
