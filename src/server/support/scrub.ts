import { channelSecret } from '../alarms/channels.ts';
import { secretOf } from '../people/provider.ts';
import { readChannels } from '../store/channels.ts';
import { readClouds, readSecrets } from '../store/clouds.ts';
import type { Database } from '../store/database.ts';
import { readProvider } from '../store/provider.ts';
import type { Vault } from '../vault.ts';

/** Shorter ones would strike out words of every day. */
const SHORTEST = 4;

/** Everything that the vault opens and that people or programs have chosen. */
export async function knownSecrets(database: Database, vault: Vault): Promise<string[]> {
  const secrets: string[] = [];
  for (const { id } of await readClouds(database)) {
    for (const secret of await readSecrets(database, id)) secrets.push(vault.open(secret.id, secret.sealed));
  }
  for (const channel of await readChannels(database)) secrets.push(channelSecret(channel, vault) ?? '');
  const provider = await readProvider(database);
  if (provider !== null) secrets.push(secretOf(provider, vault) ?? '');
  return secrets;
}

/** Strikes the secrets out, as they are, as JSON writes them and as an address does. */
export function scrub(text: string, secrets: readonly string[]): string {
  const forms = secrets
    .filter((secret) => secret.length >= SHORTEST)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
    .sort((one, other) => other.length - one.length);
  if (forms.length === 0) return text;
  return text.replace(
    new RegExp(forms.map((form) => form.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')).join('|'), 'g'),
    '[secret]',
  );
}
