import { describe, expect, it } from 'vitest';
import { joinPath, parseCloudPath, splitPath } from './path.ts';

describe('a path', () => {
  it('comes back whole whatever the names hold', () => {
    for (const names of [
      ['DC0', 'vm', 'web-01'],
      ['a/b', '100%', '%2F', '%25', ' '],
      ['日本', 'ü', 'id:x'],
    ]) {
      expect(splitPath(joinPath(names))).toEqual(names);
    }
  });

  it('takes a percent sign that escapes nothing as it stands', () => {
    expect(splitPath('/100%/50%41')).toEqual(['100%', '50%41']);
  });

  it('has no names at the root', () => {
    expect(splitPath('/')).toEqual([]);
    expect(splitPath('')).toEqual([]);
  });
});

describe('the name of an object in a command', () => {
  it('is a cloud and a path', () => {
    expect(parseCloudPath('vc1/DC0/vm/a%2Fb')).toEqual({ cloud: 'vc1', names: ['DC0', 'vm', 'a/b'] });
    expect(parseCloudPath('vc1')).toEqual({ cloud: 'vc1', names: [] });
  });

  it('is a cloud and an id', () => {
    expect(parseCloudPath('vcd/id:urn:vcloud:vm:1%2F2')).toEqual({ cloud: 'vcd', names: [], id: 'urn:vcloud:vm:1/2' });
  });

  it('is refused without a cloud', () => {
    expect(() => parseCloudPath('/DC0')).toThrow(expect.objectContaining({ code: 'input.invalid' }));
  });
});
