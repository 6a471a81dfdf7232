import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Names are a contract with people's dashboards: docs/operations.md lists them, docs/grafana/cloudspan.json uses them. */
export function createRegistry() {
  const registry = new Registry();
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: `cloudspan_${name}`, help, labelNames, registers });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `cloudspan_${name}`, help, labelNames, registers });
  /** Event loop, memory, CPU and handles of this process, under the names that every Node.js program uses. */
  collectDefaultMetrics({ register: registry });
  const pair = ['source_node', 'destination_node'] as const;
  return {
    registry,
    info: gauge('info', 'Always 1; the version of the server.', ['version']),
    jobs: gauge('jobs', 'Jobs by kind and state, ended ones included as long as they are kept.', ['kind', 'state']),
    transfer: {
      doneBytes: counter('transfer_bytes_total', 'Bytes of disks that arrived and were given to the cloud.', pair),
      wireBytes: counter('transfer_wire_bytes_total', 'Bytes of blocks as they went between the nodes.', pair),
      zeroBytes: counter('transfer_zero_bytes_total', 'Bytes that did not travel because they are zero.', pair),
      alreadyThereBytes: counter(
        'transfer_already_there_bytes_total',
        'Bytes that did not travel because the destination node held them.',
        pair,
      ),
      resentBytes: counter('transfer_resent_bytes_total', 'Of the bytes on the wire: sent a second time.', pair),
    },
    rate: gauge('transfer_bytes_per_second', 'Bytes of disks per second, of running jobs together.', pair),
    nodeUp: gauge('node_up', '1 while the node has a link to this server.', ['node']),
    storage: {
      limitBytes: gauge('node_storage_limit_bytes', 'Bound of the transfer storage.', ['node']),
      usedBytes: gauge('node_storage_used_bytes', 'Transfer storage on disk, cache included.', ['node']),
      liveBytes: gauge('node_storage_live_bytes', 'Of it: needed by transfers.', ['node']),
      cacheBytes: gauge('node_storage_cache_bytes', 'Of it: makes way for transfers.', ['node']),
      reservedBytes: gauge('node_storage_reserved_bytes', 'Kept free for running imports.', ['node']),
      freeDiskBytes: gauge('node_storage_free_disk_bytes', 'Free on the file system of the storage.', ['node']),
    },
    cloudState: gauge('cloud_state', '1 for the state that the cloud is in, else 0.', ['cloud', 'state']),
    cloudObjects: gauge('cloud_objects', 'Objects in the inventory of the cloud.', ['cloud']),
    requests: counter('api_requests_total', 'Answered requests by operation and HTTP status.', ['operation', 'status']),
    requestSeconds: new Histogram({
      name: 'cloudspan_api_request_seconds',
      help: 'Time until a request was answered.',
      labelNames: ['operation'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    }),
    databaseUp: gauge('database_up', '1 while the database answers.'),
    databaseSeconds: gauge('database_seconds', 'Time of the last round trip to the database.'),
  };
}

export type Instruments = ReturnType<typeof createRegistry>;
