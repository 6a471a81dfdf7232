import { randomBytes } from 'node:crypto';

/**
 * Carried by everything that a job makes: the installation, so that it is known again when the job is not, and what
 * nobody can guess. Short, since clouds bound the names that it is part of, and in lower case.
 */
export function newMarker(owner: string): string {
  return `${installationOf(owner)}-${randomBytes(8).toString('hex')}`;
}

/** Markers of earlier builds have no installation in them: those are known by their jobs. */
export function isOfInstallation(owner: string, marker: string): boolean {
  return marker.startsWith(`${installationOf(owner)}-`);
}

function installationOf(owner: string): string {
  return owner.replace(/[^0-9a-z]/g, '').slice(0, 8);
}
