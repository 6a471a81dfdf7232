import { CloudHttp } from '../base/http.ts';
import type { Log } from '../base/log.ts';
import { dialCloud, probeCertificate } from '../base/tls.ts';
import type { Cloud, Driver } from '../drivers/driver.ts';
import type { Check } from '../model/check.ts';
import { Fault } from '../model/fault.ts';
import type { CertificateSeen, OptionValues, Trust } from '../model/option.ts';
import type { Way } from '../model/proxy.ts';
import type { CloudCheck } from '../protocol/cloud-check.ts';

/** More than this is worth a word: logs and tasks are compared by time. */
const CLOCK_WARN_SECONDS = 60;
/** What single sign-on allows for; a login that is refused with more may have been refused for it. */
const CLOCK_SIGN_ON_SECONDS = 300;

export interface CloudToCheck {
  driver: Driver;
  /** The name that people give this cloud. */
  label: string;
  options: OptionValues;
  /** Without it the walk ends with the certificate that the cloud shows. */
  trust?: Trust | undefined;
}

export interface CloudCheckOptions {
  way: Way;
  log: Log;
  stallSeconds: number;
}

/**
 * Goes the whole way to a cloud step by step: name, connection, TLS, certificate, clock, login, version, privileges. It
 * ends at the first step that fails. Signs in once and out again; changes nothing. Never throws for what it finds.
 */
export async function checkCloud(
  cloud: CloudToCheck,
  { way, log, stallSeconds }: CloudCheckOptions,
  signal: AbortSignal,
): Promise<CloudCheck> {
  const walk = new Walk();
  try {
    const clock = await walkToDoor(walk, cloud, way, stallSeconds, signal);
    if (cloud.trust === undefined && walk.certificate !== undefined) return walk.end();
    await walkInside(walk, cloud, clock, { way, log, stallSeconds }, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Fault) || error.code === 'internal') throw error;
    walk.fail(error);
  }
  return walk.end();
}

/** What was found so far. */
class Walk {
  readonly checks: Check[] = [];
  capabilities: CloudCheck['capabilities'] = [];
  certificate: CertificateSeen | undefined;
  about: { product: string; version: string; user: string } | undefined;
  fault: Fault | undefined;
  /** The step that is being taken. */
  step = 'settings';

  pass(name: string, found: string): void {
    this.checks.push({ name, outcome: 'pass', found });
  }

  fail(error: Fault): void {
    const { code, message, remedy, retry, details } = error;
    const name = String(details?.step ?? (code.startsWith('proxy.') ? 'proxy' : this.step));
    const reason = details?.reason === undefined ? {} : { reason: String(details.reason) };
    this.fault = new Fault(code, message, { remedy, retry, details: { ...details, step: name } });
    this.checks.push({ name, outcome: 'fail', found: `${message}.`, remedy: REMEDIES[name] ?? remedy, ...reason });
  }

  end(): CloudCheck {
    const { checks, capabilities, certificate, about, fault } = this;
    return {
      at: new Date().toISOString(),
      checks,
      capabilities,
      ...(certificate === undefined ? {} : { certificate }),
      ...about,
      ...(fault === undefined ? {} : { fault: fault.report() }),
    };
  }
}

/** Where the fault's own remedy is too general for the step. */
const REMEDIES: Record<string, string> = {
  dns: 'Check the spelling, or let the DNS of the node know the name.',
  tcp: 'Check the port, and open it in firewalls and security groups between the node and the cloud.',
  tls: 'Something other than the API of a cloud answers there, or it does not speak TLS 1.2: check address and port.',
};

/** Until the certificate is believed. Resolves with the seconds by which the cloud's clock is ahead, where it tells. */
async function walkToDoor(
  walk: Walk,
  { driver, label, options, trust }: CloudToCheck,
  way: Way,
  stallSeconds: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const endpoint = driver.endpoint(options);
  if (endpoint === null) return undefined;
  const who = `${driver.name} ${label}`;
  walk.step = 'tcp';
  const trace = (step: string, milliseconds: number, found: string) =>
    walk.pass(step, `${found} (${Math.max(1, Math.round(milliseconds))} ms).`);
  const seen = await probeCertificate(endpoint, signal, { way, trace });
  walk.certificate = seen;
  walk.step = 'certificate';
  if (trust === undefined) {
    walk.checks.push({
      name: 'certificate',
      outcome: 'warn',
      found: `It shows ${certificateText(seen)}; nobody has confirmed it yet.`,
      remedy: 'Compare the fingerprint with that of its owner and confirm it, or give the CA that signed it.',
      reason: 'unconfirmed',
    });
    return undefined;
  }
  (await dialCloud(endpoint, trust, who, signal, { way })).destroy();
  const why = trust.kind === 'pin' ? 'the confirmed one' : 'signed by the given CA';
  walk.pass('certificate', `It shows ${certificateText(seen)}: ${why}.`);
  walk.step = 'clock';
  return clockAhead(new URL(`https://${hostText(endpoint)}/`), trust, who, way, stallSeconds, signal);
}

async function walkInside(
  walk: Walk,
  { driver, label, options, trust }: CloudToCheck,
  clock: number | undefined,
  { way, log, stallSeconds }: CloudCheckOptions,
  signal: AbortSignal,
): Promise<void> {
  if (clock !== undefined) walk.checks.push(clockCheck(clock));
  walk.step = 'login';
  const settings = {
    options,
    // A driver that dials nobody looks at no certificate.
    trust: trust ?? { kind: 'pin' as const, sha256: '0'.repeat(64) },
    label,
    stallSeconds,
    way,
    log: {
      info: (text: string, fields?: Record<string, unknown>) => log.info(fields ?? {}, text),
      warn: (text: string, fields?: Record<string, unknown>) => log.warn(fields ?? {}, text),
    },
  };
  let cloud: Cloud;
  try {
    cloud = await driver.connect(settings, signal);
  } catch (error) {
    throw byClock(stepOfLogin(error), clock);
  }
  try {
    const about = await cloud.about(signal);
    walk.pass('login', `Signed in as "${about.user}".`);
    walk.about = { product: about.product, version: about.version, user: about.user };
    if (clock === undefined && about.time !== undefined) {
      walk.checks.push(clockCheck((Date.parse(about.time) - Date.now()) / 1000));
    }
    walk.step = 'privileges';
    const { checks, capabilities } = await cloud.examine(signal);
    walk.checks.push(...checks);
    walk.capabilities = capabilities;
    const failed = checks.find(({ outcome }) => outcome === 'fail');
    if (failed !== undefined) {
      const details = { step: failed.name, ...(failed.reason === undefined ? {} : { reason: failed.reason }) };
      walk.fault = new Fault('auth.forbidden', `${driver.name} ${label}: ${failed.found.replace(/\.$/, '')}`, {
        details,
        ...(failed.remedy === undefined ? {} : { remedy: failed.remedy }),
      });
    }
  } finally {
    await cloud.close();
  }
}

/** Names the step where the fault does not: an API that is not the expected one is a matter of the version. */
function stepOfLogin(error: unknown): unknown {
  if (!(error instanceof Fault) || error.details?.step !== undefined) return error;
  const { code, message, remedy, retry, details } = error;
  const step =
    code === 'cloud.unsupported' || code === 'cloud.protocol'
      ? 'version'
      : code === 'input.invalid'
        ? 'settings'
        : 'login';
  return new Fault(code, message, { cause: error, remedy, retry, details: { ...details, step } });
}

/** A refused login with clocks far apart: both are named, since single sign-on refuses for it. */
function byClock(error: unknown, clock: number | undefined): unknown {
  if (!(error instanceof Fault) || error.code !== 'auth.refused') return error;
  if (clock === undefined || Math.abs(clock) <= CLOCK_SIGN_ON_SECONDS) return error;
  const { code, message, remedy, retry, details } = error;
  return new Fault(code, `${message}; the clocks are ${aheadText(clock)}`, {
    cause: error,
    remedy: `Set the clocks by NTP first: single sign-on and tokens are refused for such a difference. ${remedy}`,
    retry,
    details: { ...details, reason: 'clock' },
  });
}

/** By the `Date` of an answer that needs no session; undefined where there is none. */
async function clockAhead(
  url: URL,
  trust: Trust,
  who: string,
  way: Way,
  stallSeconds: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const http = new CloudHttp({ trust, who, stallSeconds, way, connections: 1 });
  try {
    const begin = performance.now();
    const answer = await http.request({ method: 'HEAD', url, signal });
    answer.body.destroy();
    const time = Date.parse(answer.headers.date ?? '');
    // It is cut to whole seconds, so on average it is half a second late.
    const now = Date.now() - (performance.now() - begin) / 2;
    return Number.isNaN(time) ? undefined : (time + 500 - now) / 1000;
  } finally {
    await http.close();
  }
}

function clockCheck(ahead: number): Check {
  const found = `The clock of the cloud and that of the node are ${aheadText(ahead)}.`;
  if (Math.abs(ahead) <= CLOCK_WARN_SECONDS) return { name: 'clock', outcome: 'pass', found };
  return {
    name: 'clock',
    outcome: 'warn',
    found,
    remedy: 'Set the clocks of cloud and node by NTP; single sign-on refuses what differs by minutes.',
    reason: 'clock',
  };
}

function aheadText(ahead: number): string {
  const seconds = Math.abs(ahead);
  if (seconds < 2) return 'less than 2 s apart';
  return `${seconds.toFixed(0)} s apart (the cloud's is ${ahead < 0 ? 'behind' : 'ahead'})`;
}

function certificateText({ sha256, subject, chain = [], validTo }: CertificateSeen): string {
  const above = chain.length === 0 ? '' : `, under ${chain.map((one) => one.subject).join(', under ')}`;
  return `the certificate ${sha256} of ${subject}${above}, valid until ${validTo.slice(0, 10)}`;
}

function hostText({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
