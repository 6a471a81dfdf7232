import type { KeyObject } from 'node:crypto';
import { readPublicKey } from '../../base/sealed-key.ts';
import { Fault } from '../../model/fault.ts';
import type { OptionDescription, OptionValues } from '../../model/option.ts';
import { itemAt } from './catalog.ts';
import type { Session } from './session.ts';

/** Of what is made, in the ledger. */
export const ROLE = 'package';

export type Protection = { kind: 'plain' } | { kind: 'passphrase' } | { kind: 'node'; recipient: KeyObject };

export type Form = { format: 'ova' } | { format: 'package'; protection: Protection };

/** What can be chosen for something that is put into a folder. Faults: `object.missing`, `object.wrong-kind`. */
export async function placementOf(session: Session, destination: string): Promise<OptionDescription[]> {
  await folderAt(session, destination);
  return [
    {
      name: 'format',
      label: 'Format',
      help: 'A Cloudspan package (proven, encrypted, can be resumed) or an OVA that other products read.',
      type: 'choice',
      required: true,
      default: 'package',
      choices: [
        { value: 'package', label: 'Cloudspan package' },
        { value: 'ova', label: 'OVA (never encrypted)' },
      ],
    },
    {
      name: 'protection',
      label: 'Protection',
      help: 'Who can open a Cloudspan package: who knows the passphrase, one node, or everybody (plain).',
      type: 'choice',
      required: true,
      default: session.keyring.passphrase === undefined ? 'node' : 'passphrase',
      choices: [
        { value: 'passphrase', label: 'The passphrase of this cloud' },
        { value: 'node', label: 'One node' },
        { value: 'plain', label: 'Not encrypted' },
      ],
    },
    {
      name: 'recipient',
      label: 'For node',
      help: 'Public key of the node that shall open the package (`cloudspan nodes key NODE`).',
      type: 'text',
      required: false,
    },
  ];
}

/** An image is written as it is. Fault `input.invalid` where the choices promise something else. */
export function checkImageForm(session: Session, values: OptionValues): void {
  refuseUnknown(session, values);
  const { format = '', protection = '', recipient = '' } = values;
  if (format === 'ova') {
    throw new Fault('input.invalid', `${session.who}: an image of a disc is no machine, so it cannot become an OVA`, {
      remedy: 'Have it written as a plain file (--to FOLDER --plain), or leave the format out.',
    });
  }
  if ((protection === '' || protection === 'plain') && recipient === '') return;
  throw new Fault('input.invalid', `${session.who}: an image of a disc is written as it is, which everybody can read`, {
    remedy: 'Say so: choose no protection (--plain, or --protection plain).',
  });
}

function refuseUnknown(session: Session, values: OptionValues): void {
  const known = ['format', 'protection', 'recipient'];
  const strange = Object.keys(values).find((name) => !known.includes(name));
  if (strange !== undefined) {
    throw new Fault('input.invalid', `${session.who}: there is no choice "${strange}" here`, {
      remedy: `There are: ${known.join(', ')}.`,
    });
  }
}

/** The values as a trusted type. Faults: `input.invalid`. */
export function readForm(session: Session, values: OptionValues): Form {
  refuseUnknown(session, values);
  const format = values.format ?? 'package';
  if (format === 'ova') return { format };
  if (format !== 'package') throw new Fault('input.invalid', `${session.who}: there is no format "${format}"`);
  const recipient = values.recipient ?? '';
  const passphrase = session.keyring.passphrase !== undefined;
  const chosen = values.protection ?? (recipient !== '' || !passphrase ? 'node' : 'passphrase');
  const need = (remedy: string) =>
    new Fault('input.invalid', `${session.who}: a package is encrypted, and nothing says for whom`, { remedy });
  switch (chosen) {
    case 'plain':
      return { format, protection: { kind: 'plain' } };
    case 'passphrase':
      if (!passphrase) throw need('Give the cloud a passphrase, or choose a node.');
      return { format, protection: { kind: 'passphrase' } };
    case 'node':
      if (recipient === '')
        throw need('Name a node by its public key, give a passphrase, or type that it shall be plain.');
      return { format, protection: { kind: 'node', recipient: readPublicKey(recipient) } };
    default:
      throw new Fault('input.invalid', `${session.who}: there is no protection "${chosen}"`);
  }
}

/** The folder that shall hold something. Faults: `object.missing`, `object.wrong-kind`. */
export async function folderAt(session: Session, id: string): Promise<{ id: string; path: string }> {
  const item = await itemAt(session, id);
  if (item.kind === 'folder') return item;
  throw new Fault('object.wrong-kind', `${session.who}: "${id}" is no folder`);
}
