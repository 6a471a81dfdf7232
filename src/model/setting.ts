/** What a move changes at its source, in the order in which it does: nothing starts or reaches it before it has its name. */
export const SETTINGS = ['autostart', 'nics', 'name'] as const;
export type SettingName = (typeof SETTINGS)[number];

/** Values as the driver tells them; only the name is for people. */
export type SourceSettings = Partial<Record<SettingName, string>>;

/** Of adapters and autostart: nothing is connected, nothing starts by itself. */
export const OFF = 'off';

/** The role of the ledger's row of a setting; `settingOf` is its inverse. */
export function roleOfSetting(setting: SettingName): string {
  return `setting ${setting}`;
}

export function settingOf(role: string): SettingName | undefined {
  return SETTINGS.find((setting) => roleOfSetting(setting) === role);
}

const LONGEST_NAME = 80;

/** Some clouds store these as an escape of three characters, and count those. */
const ESCAPED = /[%/\\]/;

/** What a source is called once it has moved. Cut where clouds would refuse it. */
export function nameOfMoved(name: string, job: number): string {
  const suffix = ` (moved, job ${job})`;
  let room = LONGEST_NAME - suffix.length;
  const kept: string[] = [];
  for (const character of name) {
    room -= ESCAPED.test(character) ? 3 : 1;
    if (room < 0) break;
    kept.push(character);
  }
  return `${kept.join('')}${suffix}`;
}
