import type { Lab } from './lab.ts';
import { type Managed, singleton } from './managed.ts';
import type { Session } from './session-manager.ts';
import { type Data, ref } from './value.ts';
import { notFound, VimFault } from './vim-fault.ts';
import type { WorldAccount } from './world.ts';

/** The privilege that a method wants on its object; what is not here every account may call. */
const WANTED: Record<string, string> = {
  PowerOnVM_Task: 'VirtualMachine.Interact.PowerOn',
  PowerOffVM_Task: 'VirtualMachine.Interact.PowerOff',
  ShutdownGuest: 'VirtualMachine.Interact.PowerOff',
  SuspendVM_Task: 'VirtualMachine.Interact.Suspend',
  ResetVM_Task: 'VirtualMachine.Interact.Reset',
  ExportVm: 'VApp.Export',
  ExportVApp: 'VApp.Export',
  ImportVApp: 'VApp.Import',
  Rename_Task: 'VirtualMachine.Config.Rename',
  Destroy_Task: 'VirtualMachine.Inventory.Delete',
};

function holds(lab: Lab, account: WorldAccount | undefined, privilege: string, entity: string): boolean {
  if (account === undefined) return true;
  if (!account.privileges.includes(privilege) && privilege !== 'System.View') return false;
  return account.on === undefined || isBelow(lab, entity, account.on);
}

/** Whether an object of this name is on the way up from the entity, itself included. */
function isBelow(lab: Lab, entity: string, name: string): boolean {
  for (let at = lab.any(entity); at; at = lab.any('parent' in at ? at.parent : undefined)) {
    if ('name' in at && at.name === name) return true;
  }
  return false;
}

/** @throws NoPermission */
export function demandPrivilege(lab: Lab, session: Session | undefined, method: string, object: Managed): void {
  const privilege = WANTED[method];
  if (privilege === undefined || holds(lab, session?.account, privilege, object.id)) return;
  throw new VimFault('NoPermission', 'Permission to perform this operation was denied.', {
    object: ref(object.type, object.id),
    privilegeId: privilege,
  });
}

export const authorizationManager = singleton(
  'AuthorizationManager',
  'AuthorizationManager',
  { privilegeList: () => [], roleList: () => [] },
  {
    /** Of any session that is still there; the entity has to exist. */
    HasPrivilegeOnEntities(call, args) {
      const { lab } = call;
      const session = lab.sessions.byKey(String(args.sessionId));
      if (!session)
        throw new VimFault('InvalidArgument', 'The session is not known.', { invalidProperty: 'sessionId' });
      const entities = (args.entity ?? []) as Data[];
      const privileges = ((args.privId ?? []) as string[]).map(String);
      return entities.map((entity) => {
        const { _ref, id } = entity as unknown as { _ref: string; id: string };
        if (!lab.any(id)) throw notFound(_ref, id);
        return {
          _type: 'EntityPrivilege',
          entity: ref(_ref, id),
          privAvailability: privileges.map((privId) => ({
            _type: 'PrivilegeAvailability',
            privId,
            isGranted: holds(lab, session.account, privId, id),
          })),
        };
      });
    },
  },
);
