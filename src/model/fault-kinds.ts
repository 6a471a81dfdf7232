/** Whether trying again can help: `soon` (seconds), `later` (something has to change first), `never`. */
export type Retry = 'soon' | 'later' | 'never';

interface FaultKind {
  /** HTTP status with which the API answers. */
  readonly status: number;
  readonly retry: Retry;
  readonly meaning: string;
  readonly remedy: string;
}

const kind = (status: number, retry: Retry, meaning: string, remedy: string): FaultKind => ({
  status,
  retry,
  meaning,
  remedy,
});

/** Every fault code of the product. `docs/errors.md` lists the same codes; a test holds the two together. */
export const faultKinds = {
  'auth.required': kind(401, 'never', 'The request carries no valid session or token.', 'Sign in again.'),
  'auth.refused': kind(
    401,
    'never',
    'User name or password were refused.',
    'Check the account; nothing is retried, so that it is not locked.',
  ),
  'auth.locked': kind(
    429,
    'later',
    'There were too many wrong passwords for this name, or from this address.',
    'Wait until the time that is named; no password is looked at before.',
  ),
  'auth.forbidden': kind(403, 'never', 'The account may not do this.', 'Ask an administrator for the right.'),
  'auth.provider': kind(
    502,
    'later',
    'The OpenID provider at which people sign in does not answer as it should.',
    'Check the issuer, the way from the server to it, and the CA of its certificate.',
  ),
  'input.invalid': kind(400, 'never', 'The request does not have the form that is needed.', 'Correct the named field.'),
  'object.missing': kind(
    404,
    'never',
    'Nothing is there under this id or path.',
    'List the parent to see what there is.',
  ),
  'object.ambiguous': kind(409, 'never', 'The path fits more than one object.', 'Use one of the ids that are listed.'),
  'object.exists': kind(
    409,
    'never',
    'An object of this name is already there; nothing that exists is replaced.',
    'Choose another name, or ask for a new one.',
  ),
  'object.busy': kind(409, 'soon', 'Another task of the cloud holds the object.', 'Wait for that task.'),
  'object.in-use': kind(409, 'later', 'Something still depends on the object.', 'Remove what is named first.'),
  'object.changed': kind(
    409,
    'never',
    'The object is not as Cloudspan left it: somebody else has changed it, or took its marker away.',
    'Nothing was removed. Look at it in its cloud; remove it there if it is not wanted.',
  ),
  'object.wrong-kind': kind(
    400,
    'never',
    'The object is of a kind that cannot be used here.',
    'Choose an object of the kind that is named.',
  ),
  'cloud.unreachable': kind(
    502,
    'soon',
    'The cloud cannot be reached from its node.',
    'Check name, port, firewall and proxy from the node.',
  ),
  'cloud.untrusted': kind(
    502,
    'never',
    'The certificate of the cloud is not the one that was confirmed.',
    'Compare the fingerprint with its owner; if it was changed on purpose: `cloudspan clouds trust NAME`.',
  ),
  'cloud.busy': kind(503, 'soon', 'The cloud asked to wait.', 'Cloudspan waits as long as the cloud says.'),
  'cloud.session': kind(502, 'soon', 'The session with the cloud ended.', 'Cloudspan signs in again.'),
  'session.missing': kind(
    409,
    'soon',
    'The node holds no session with this cloud.',
    'The server opens it again by itself.',
  ),
  'cloud.failed': kind(
    502,
    'later',
    'The cloud reported an error.',
    'Read the message of the cloud; mend the cause; retry.',
  ),
  'cloud.protocol': kind(
    502,
    'never',
    'The cloud answered something that its API does not allow.',
    'Report it with the log of the job.',
  ),
  'cloud.signed-out': kind(
    409,
    'later',
    'Everybody uses this cloud with their own account, and there is no sign-in of this person that it takes.',
    'Sign in with `cloudspan clouds sign-in`; jobs that wait for it go on then.',
  ),
  'cloud.unsupported': kind(409, 'never', 'This cloud cannot do that.', 'Choose another way; the message names one.'),
  'machine.running': kind(
    409,
    'later',
    'The machine is powered on or suspended.',
    'Power it off, or ask for it with the flag that is named.',
  ),
  'machine.unsupported': kind(
    409,
    'never',
    'The machine has a part that cannot be carried.',
    'Remove the part that is named.',
  ),
  'disk.changed': kind(
    409,
    'soon',
    'The disk changed while it was read.',
    'The transfer goes on with the new version.',
  ),
  'transfer.mismatch': kind(
    500,
    'soon',
    'A block does not have the hash that was announced.',
    'The block is fetched again; if it stays so, check memory and storage of the node that is named.',
  ),
  'transfer.lost': kind(503, 'soon', 'The connection between the nodes broke.', 'It is made again by itself.'),
  'transfer.rewound': kind(
    409,
    'soon',
    'The destination began again, or a block was damaged, and the storage of its node does not hold what is needed.',
    'The source is read again by itself; a transfer storage larger than the machine avoids it.',
  ),
  'transfer.unknown': kind(404, 'soon', 'The node does not know this transfer.', 'It is offered again by itself.'),
  'storage.full': kind(
    507,
    'later',
    'The transfer storage of the node is full.',
    'Free space or enlarge it: what arrived is kept, and what waits goes on by itself.',
  ),
  'storage.locked': kind(
    503,
    'soon',
    'The transfer storage is encrypted, and its key is not on the node.',
    'The server gives it as soon as it is linked with the node: check the link with `cloudspan nodes list`.',
  ),
  'storage.damaged': kind(
    500,
    'soon',
    'A block in the transfer storage is damaged.',
    'It is fetched again; check the disk of the node.',
  ),
  'lease.expired': kind(
    502,
    'soon',
    'The lease of the cloud ended before the disk was through.',
    'The disk is sent again from the node next to the cloud.',
  ),
  'vmdk.invalid': kind(422, 'never', 'The VMDK does not follow its format.', 'Check the disk with its own product.'),
  'vmdk.truncated': kind(422, 'soon', 'The VMDK ends before its footer.', 'The disk is read again.'),
  'vmdk.unsupported': kind(
    422,
    'never',
    'The VMDK is of a kind that is not stream-optimized.',
    'Convert it to stream-optimized first.',
  ),
  'ovf.invalid': kind(422, 'never', 'The OVF descriptor cannot be understood.', 'Correct the element that is named.'),
  'ovf.hostile': kind(
    422,
    'never',
    'The OVF or OVA tries to reach outside of its package.',
    'Do not use this package.',
  ),
  'ovf.manifest': kind(422, 'never', 'A file does not have the digest of the manifest.', 'Get the package again.'),
  'package.damaged': kind(
    422,
    'never',
    'A Cloudspan package is not what was written, or not whole.',
    'Carry it over again, or export it again.',
  ),
  'package.locked': kind(
    403,
    'never',
    'A Cloudspan package is encrypted and nothing here opens it.',
    'Give its passphrase, or import it at the node that it was written for.',
  ),
  'ova.invalid': kind(422, 'never', 'The OVA is not a readable archive.', 'Get the package again.'),
  'eula.required': kind(
    409,
    'never',
    'The package has a license that must be accepted.',
    'Read it, then say so with the flag that is named.',
  ),
  'node.unreachable': kind(
    503,
    'soon',
    'The node has no link to the server.',
    'Start the node, or check the way between the two.',
  ),
  'node.untrusted': kind(
    403,
    'never',
    'The key of the other side is not the one that was pinned.',
    'If the key was changed on purpose, join the node again.',
  ),
  'node.join-refused': kind(
    403,
    'never',
    'The join token is wrong, used or too old.',
    'Make a new one with `cloudspan nodes token`.',
  ),
  'proxy.credentials': kind(
    502,
    'later',
    'The proxy wants another user name and password, or any.',
    'Give them in the file of --proxy-credentials, or in CLOUDSPAN_PROXY_CREDENTIALS, and start again.',
  ),
  'proxy.refused': kind(
    502,
    'later',
    'The proxy does not allow this connection.',
    'Have CONNECT to the named address and port allowed at the proxy, or except it with --no-proxy.',
  ),
  'proxy.unreachable': kind(
    502,
    'soon',
    'The proxy does not answer, or does not reach the target.',
    'Check the address of the proxy, and the way from it to the target.',
  ),
  'protocol.version': kind(426, 'never', 'The two sides have no protocol version in common.', 'Update the older side.'),
  'epoch.stale': kind(
    409,
    'never',
    'The command comes from a server that no longer owns the job.',
    'Nothing to do: the owner goes on.',
  ),
  'work.unknown': kind(404, 'soon', 'The node does not know this work.', 'It is started again by itself.'),
  'receipt.invalid': kind(
    422,
    'never',
    'A receipt does not hold together, or was not signed by those who had to.',
    'Do not rely on it; export it again from its job: `cloudspan jobs receipt N`.',
  ),
  'receipt.outdated': kind(
    409,
    'never',
    'The disks of an object are not those of the receipt (any more).',
    'The machine may have run since; if it has not, copy it again.',
  ),
  'source.needed': kind(
    409,
    'later',
    'The source of a move may not be deleted: its copy is not proven well enough, not there, or about to be given up.',
    'Mend what the sentence names, or keep the source.',
  ),
  'job.state': kind(
    409,
    'never',
    'The job is not in a state that allows this.',
    'Look at the state with `cloudspan jobs show`.',
  ),
  'job.cancelled': kind(409, 'never', 'The job was cancelled.', 'Retry it if it was not meant.'),
  'job.paused': kind(409, 'later', 'The job was paused.', 'Resume it: what arrived is kept.'),
  'preflight.failed': kind(
    409,
    'later',
    'A check failed before anything was touched.',
    'Follow the remedy of the check.',
  ),
  'server.busy': kind(
    429,
    'soon',
    'This client asked for more in a short time than the server answers.',
    'Wait as long as the answer says, then go on more slowly.',
  ),
  'server.unavailable': kind(503, 'soon', 'The server is not ready.', 'Wait a moment; look at its log.'),
  'idempotency.conflict': kind(
    422,
    'never',
    'An Idempotency-Key was used again for another request.',
    'Use a new key for each new request.',
  ),
  'idempotency.busy': kind(
    409,
    'soon',
    'The first request with this Idempotency-Key is still being answered.',
    'Ask again in a moment, with the same key.',
  ),
  'channel.refused': kind(
    502,
    'later',
    'The other side of a channel (webhook, e-mail, syslog) did not take the message.',
    'Check its address and account, then try `cloudspan channels test`.',
  ),
  'server.on-hold': kind(
    503,
    'later',
    'The server was restored from a backup and waits until somebody says that the old one is gone.',
    'When the old server is gone for good: `cloudspan server release-hold`.',
  ),
  'backup.damaged': kind(
    422,
    'never',
    'A backup is not whole, or not what was written.',
    'Use another copy of it, or an older backup.',
  ),
  'certificate.refused': kind(
    422,
    'never',
    'A certificate for the server does not fit: its key, its chain, its names or its dates.',
    'Do what the message says, and upload it again.',
  ),
  'vault.locked': kind(
    500,
    'never',
    'A secret cannot be opened with the key of this server.',
    'Put the right key file in place.',
  ),
  internal: kind(500, 'later', 'Something that should not happen happened.', 'Report it with the log.'),
} as const satisfies Record<string, FaultKind>;

export type FaultCode = keyof typeof faultKinds;
