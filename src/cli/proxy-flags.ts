import { type Command, Option } from 'commander';

/** How a node gets out, as it is typed; user names and passwords are never among it. */
export interface ProxyFlags {
  proxy?: string;
  proxyCredentials?: string;
  noProxy?: string;
  serverProxy?: string;
  peerProxy?: string;
  cloudProxy?: string;
}

/** Its name begins as a negation does, but it takes a list. */
function exceptions(): Option {
  const option = new Option(
    '--no-proxy <list>',
    'dial these straight: names, .suffixes, addresses, networks, each with :port if wanted (or CLOUDSPAN_NO_PROXY)',
  );
  return Object.assign(option, { negate: false, attributeName: () => 'noProxy' });
}

export function addProxyFlags(command: Command): Command {
  return command
    .option('--proxy <url>', 'HTTP proxy (CONNECT) for every way out: http://host:port (or CLOUDSPAN_PROXY)')
    .option(
      '--proxy-credentials <file>',
      'file with user:password, or a line "host:port user:password" per proxy (or CLOUDSPAN_PROXY_CREDENTIALS)',
    )
    .addOption(exceptions())
    .option('--server-proxy <url>', 'another proxy, or none, to the servers')
    .option('--peer-proxy <url>', 'another proxy, or none, to other nodes')
    .option('--cloud-proxy <url>', 'another proxy, or none, to the APIs of clouds');
}
