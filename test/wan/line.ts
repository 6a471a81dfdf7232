import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ForwarderOptions, ForwarderReport } from './forwarder.ts';
import { inside, ip, makeNamespace, removeNamespace, sweep } from './namespaces.ts';

export interface LineOptions {
  /** Of IP packets, each way. Infinity for no limit. */
  megabitsPerSecond: number;
  /** There and back again; half of it each way. */
  roundTripMilliseconds: number;
  /** Part of the packets that get lost, each way. */
  loss: number;
  seed: number;
  /** Default: what the kernel's is. */
  congestion?: 'cubic' | 'bbr';
}

export interface Side {
  namespace: string;
  address: string;
  /** Words in front of a command that is to run on this side. */
  prefix: string[];
}

export interface Line {
  near: Side;
  far: Side;
  /** Bytes of IP packets that arrived at the far side so far. */
  arrivedBytes(): number;
  /** Takes the line down; what it carried. Once. */
  end(): Promise<ForwarderReport>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A queue never shorter than this, since the forwarder may have to wait for a processor for some milliseconds. */
const LEAST_QUEUE_BYTES = 256 * 1024;
let lines = 0;

/** Two network namespaces with a line between them whose queue holds one bandwidth-delay product. Needs root. */
export async function openLine(options: LineOptions): Promise<Line> {
  sweep();
  const number = lines++;
  const near = side(number, 'a', 1);
  const far = side(number, 'b', 2);
  const devices = { near: `csw${process.pid}.${number}a`, far: `csw${process.pid}.${number}b` };
  let forwarder: Forwarder | null = null;
  const remove = async () => {
    const report = await forwarder?.end();
    for (const { namespace } of [near, far]) removeNamespace(namespace);
    return report;
  };
  try {
    forwarder = await startForwarder({ ...devices, ...directions(options) });
    for (const [one, other, device] of [
      [near, far, devices.near],
      [far, near, devices.far],
    ] as const) {
      ip('link', 'set', 'dev', device, 'netns', one.namespace);
      const set = (name: string, value: string) =>
        execFileSync('ip', [...one.prefix.slice(1), 'sh', '-c', `echo ${value} > /proc/sys/net/${name}`]);
      set('ipv6/conf/all/disable_ipv6', '1');
      set('ipv4/tcp_no_metrics_save', '1');
      ip('-n', one.namespace, 'address', 'add', one.address, 'peer', other.address, 'dev', device);
      ip('-n', one.namespace, 'link', 'set', 'dev', device, 'mtu', '1500', 'txqueuelen', '5000', 'up');
      // By route: only the first namespace of a machine may choose what its tcp_allowed_congestion_control does not name.
      if (options.congestion !== undefined)
        ip(
          '-n',
          one.namespace,
          'route',
          'replace',
          other.address,
          'dev',
          device,
          'src',
          one.address,
          'congctl',
          options.congestion,
        );
    }
  } catch (error) {
    await remove();
    throw error;
  }
  let ended: Promise<ForwarderReport> | null = null;
  const end = () => {
    ended ??= remove().then((report) => report!);
    return ended;
  };
  return {
    near,
    far,
    arrivedBytes: () =>
      Number(
        ip('-n', far.namespace, '-s', '-j', 'link', 'show', 'dev', devices.far).match(/"rx":\{"bytes":(\d+)/)?.[1],
      ),
    end,
    [Symbol.asyncDispose]: async () => {
      await end();
    },
  };
}

function side(line: number, letter: string, host: number): Side {
  const namespace = makeNamespace(`${line}${letter}`);
  return { namespace, address: `10.99.${line % 256}.${host}`, prefix: inside(namespace) };
}

function directions(options: LineOptions): Pick<ForwarderOptions, 'there' | 'back'> {
  const { megabitsPerSecond, roundTripMilliseconds, loss, seed } = options;
  const product = (megabitsPerSecond * 1e6 * roundTripMilliseconds) / 8000;
  const direction = {
    bitsPerSecond: Math.min(megabitsPerSecond * 1e6, 1e15),
    delayMilliseconds: roundTripMilliseconds / 2,
    loss,
    queueBytes: Number.isFinite(product) ? Math.max(product, LEAST_QUEUE_BYTES) : 1e15,
  };
  return { there: { ...direction, seed }, back: { ...direction, seed: seed + 1 } };
}

interface Forwarder {
  end(): Promise<ForwarderReport>;
}

async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const child: ChildProcess = spawn(
    process.execPath,
    [join(import.meta.dirname, 'forwarder.ts'), JSON.stringify(options)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const spoken = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const first = await spoken.next();
  if (first.value !== 'ready') throw new Error('the forwarder did not begin: see its words above');
  return {
    async end() {
      child.stdin?.end();
      const last = await spoken.next();
      return JSON.parse(String(last.value)) as ForwarderReport;
    },
  };
}
