import type { OptionDescription } from '../../model/option.ts';

/** @param roots Folders that the operator of this node named. */
export function optionsFor(roots: readonly string[]): readonly OptionDescription[] {
  const [only] = roots;
  return [
    {
      name: 'folder',
      label: 'Folder',
      help: 'One of the folders that the node was started with (--packages).',
      type: 'choice',
      required: true,
      choices: roots.map((root) => ({ value: root, label: root })),
      ...(roots.length === 1 && only !== undefined ? { default: only } : {}),
    },
    {
      name: 'passphrase',
      label: 'Passphrase',
      help: 'Opens encrypted packages, and encrypts those that are written.',
      type: 'secret',
      required: false,
    },
    {
      name: 'handed-key',
      label: 'Handed key',
      help: 'The key of one package, sealed again for this node by the one that it was written for.',
      type: 'secret',
      required: false,
    },
  ];
}
