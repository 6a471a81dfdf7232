import { describe, expect, it } from 'vitest';
import { CopyRequestSchema } from '../../protocol/api/jobs.ts';
import { commandOf } from './command.ts';
import { emptyForm, requestOf } from './form.ts';

const form = { ...emptyForm('one/DC/vm/web 01'), place: { cloud: 'c2', object: 'o' } };

describe('the request of the copy form', () => {
  it('is one that the API takes, with nothing asked for that nobody chose', () => {
    expect(CopyRequestSchema.parse(requestOf(form, 'two/pool'))).toEqual({
      kind: 'copy',
      source: 'one/DC/vm/web 01',
      destination: 'two/pool',
      networks: {},
      placement: {},
      keepMac: false,
      keepUuid: false,
      onNameClash: 'fail',
      properties: {},
      acceptEulas: false,
      powerOn: false,
      priority: 1,
      powerOffSource: false,
    });
  });

  it('is written as the command that does the same', () => {
    const chosen = {
      ...form,
      name: " it's new ",
      networks: { 'VM Network': 'net', Backup: null },
      placement: { 'storage-policy': 'gold' },
      switches: { ...form.switches, powerOn: true, powerOffSource: true, rename: true },
    };
    expect(commandOf(requestOf(chosen, 'two/pool'))).toBe(
      "cloudspan copy 'one/DC/vm/web 01' two/pool --name 'it'\\''s new' --network 'VM Network=net' --storage-policy gold --power-on --power-off-source --rename",
    );
  });
});
