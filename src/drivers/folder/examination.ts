import { access, constants } from 'node:fs/promises';
import { CAPABILITIES, type Capability, type Examination, privilegesCheck } from '../../model/cloud-check.ts';
import { checkOpen, type Session } from './session.ts';

/** What the file system lets this node do in the folder. */
export async function examine(session: Session): Promise<Examination> {
  checkOpen(session);
  const { root, remote, only } = session;
  const reads = remote !== undefined || (await may(root, constants.R_OK | constants.X_OK));
  const writes = remote === undefined && only === undefined && (await may(root, constants.W_OK | constants.X_OK));
  const account = process.env.USER ?? `uid ${process.getuid?.() ?? ''}`;
  const capabilities = CAPABILITIES.map((name): Capability => {
    if (name === 'power') {
      const remedy = 'Import the machine into a cloud to run it.';
      return { name, state: 'missing', found: 'Packages do not run.', remedy };
    }
    if (name === 'inventory' || name === 'copy-out') {
      return reads
        ? { name, state: 'works', found: `"${root}" can be read.` }
        : {
            name,
            state: 'missing',
            found: `"${account}" may not read "${root}".`,
            remedy: 'Give it the right to read.',
          };
    }
    if (writes) return { name, state: 'works', found: `"${root}" can be written to.` };
    const single = remote !== undefined || only !== undefined;
    return {
      name,
      state: 'missing',
      found: single ? 'One file or address can be read only.' : `"${account}" may not write to "${root}".`,
      remedy: single ? 'Name a folder with --packages to write packages.' : 'Give it the right to write.',
    };
  });
  // That packages do not run takes nothing from the account.
  const ofAccount = capabilities.filter(({ name }) => name !== 'power');
  const remedy = `Change owner or mode of "${root}" on the machine of the node.`;
  return {
    checks: [
      { name: 'version', outcome: 'pass', found: 'It is a folder of the node, with packages of form 1.' },
      privilegesCheck(account, ofAccount, remedy),
    ],
    capabilities,
  };
}

function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
