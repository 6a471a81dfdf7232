/** Guest ids with the CIM number that OVF uses for them and their name. The list holds the common ones; others are passed through. */
const GUESTS: [id: string, cim: number, name: string][] = [
  ['otherGuest64', 102, 'Other (64-bit)'],
  ['otherGuest', 1, 'Other (32-bit)'],
  ['otherLinux64Guest', 101, 'Other Linux (64-bit)'],
  ['otherLinuxGuest', 36, 'Other Linux (32-bit)'],
  ['other3xLinux64Guest', 101, 'Other 3.x or later Linux (64-bit)'],
  ['other4xLinux64Guest', 101, 'Other 4.x or later Linux (64-bit)'],
  ['other5xLinux64Guest', 101, 'Other 5.x or later Linux (64-bit)'],
  ['other6xLinux64Guest', 101, 'Other 6.x or later Linux (64-bit)'],
  ['ubuntu64Guest', 94, 'Ubuntu Linux (64-bit)'],
  ['debian10_64Guest', 96, 'Debian GNU/Linux 10 (64-bit)'],
  ['debian11_64Guest', 96, 'Debian GNU/Linux 11 (64-bit)'],
  ['debian12_64Guest', 96, 'Debian GNU/Linux 12 (64-bit)'],
  ['centos7_64Guest', 107, 'CentOS 7 (64-bit)'],
  ['centos8_64Guest', 107, 'CentOS 8 (64-bit)'],
  ['rhel7_64Guest', 80, 'Red Hat Enterprise Linux 7 (64-bit)'],
  ['rhel8_64Guest', 80, 'Red Hat Enterprise Linux 8 (64-bit)'],
  ['rhel9_64Guest', 80, 'Red Hat Enterprise Linux 9 (64-bit)'],
  ['sles15_64Guest', 85, 'SUSE Linux Enterprise 15 (64-bit)'],
  ['vmwarePhoton64Guest', 101, 'VMware Photon OS (64-bit)'],
  ['freebsd14_64Guest', 78, 'FreeBSD 14 or later versions (64-bit)'],
  ['windows9_64Guest', 1, 'Microsoft Windows 10 (64-bit)'],
  ['windows2019srv_64Guest', 112, 'Microsoft Windows Server 2019 (64-bit)'],
  ['windows2019srvNext_64Guest', 112, 'Microsoft Windows Server 2022 (64-bit)'],
];

export function guestName(id: string): string {
  return GUESTS.find(([one]) => one === id)?.[2] ?? id;
}

export function guestFamily(id: string): string {
  return id.startsWith('win') ? 'windowsGuest' : id.startsWith('otherGuest') ? 'otherGuestFamily' : 'linuxGuest';
}

export function guestCim(id: string): number {
  return GUESTS.find(([one]) => one === id)?.[1] ?? 1;
}

export function guestByCim(cim: number): string {
  return GUESTS.find(([, one]) => one === cim)?.[0] ?? 'otherGuest64';
}
