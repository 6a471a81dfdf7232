import { singleton } from '../managed.ts';
import { type Data, type Ref, text, type Value } from '../value.ts';
import { asVimFault, type VimFault } from '../vim-fault.ts';
import { type OvfDescriptor, readDescriptor } from './descriptor-reader.ts';
import { createDescriptor } from './descriptor-writer.ts';
import { type FileItem, type Problems, readParams, systemSpec, vAppSpec } from './import-spec.ts';

function fileItem(one: FileItem): Data {
  return {
    deviceId: one.deviceId,
    path: one.path,
    ...(one.compression ? { compressionMethod: one.compression } : {}),
    ...(one.size === undefined ? {} : { size: one.size }),
    cimType: 17,
    create: false,
  };
}

function faults(list: VimFault[]): Data[] {
  return list.map((one) => one.localized);
}

/** A result that only says what is wrong, as the vendor gives for a descriptor it cannot use. */
function refused(error: unknown): Data {
  const fault = asVimFault(error);
  if (!fault.type.startsWith('Ovf')) throw fault;
  return { error: [fault.localized] };
}

function startOrder(ovf: OvfDescriptor, id: string): Data | undefined {
  const entry = ovf.collection?.start.find((one) => one.id === id);
  if (!entry) return undefined;
  return {
    tag: id,
    startOrder: entry.order,
    startDelay: entry.startDelay,
    waitingForGuest: entry.waitingForGuest,
    startAction: entry.startAction,
    stopDelay: entry.stopDelay,
    stopAction: entry.stopAction,
  };
}

export const ovfManager = singleton(
  'OvfManager',
  'OvfManager',
  {
    ovfImportOption: () => [],
    ovfExportOption: () => [{ option: 'extraconfig', description: 'Include all extra configuration options.' }],
  },
  {
    CreateImportSpec(call, args): Value {
      const { lab } = call;
      let ovf: OvfDescriptor;
      try {
        ovf = readDescriptor(text(args, 'ovfDescriptor') ?? '');
      } catch (error) {
        return refused(error);
      }
      const params = readParams(lab, args, ovf);
      const problems: Problems = { errors: [], warnings: [...ovf.warnings] };
      const files: FileItem[] = [];
      let spec: Data;
      try {
        if (ovf.collection) {
          const children = ovf.systems.map((system): Data => {
            const made = systemSpec(lab, ovf, system, { ...params, name: system.name }, problems);
            files.push(...made.files);
            return { ...made.spec, resPoolEntity: undefined, entityConfig: startOrder(ovf, system.id) };
          });
          const own = vAppSpec({ ...ovf.collection, eulas: [], transport: [] }, params);
          const vAppConfigSpec: Data = { ...own, _type: 'VAppConfigSpec', annotation: ovf.collection.annotation };
          const allocation: Data = {
            reservation: 0,
            expandableReservation: true,
            limit: -1,
            shares: { shares: 4000, level: 'normal' },
          };
          spec = {
            _type: 'VirtualAppImportSpec',
            name: params.name,
            vAppConfigSpec,
            resourcePoolSpec: { cpuAllocation: allocation, memoryAllocation: allocation },
            child: children,
          };
        } else {
          const made = systemSpec(lab, ovf, ovf.systems[0] as OvfDescriptor['systems'][number], params, problems);
          spec = made.spec;
          files.push(...made.files);
        }
      } catch (error) {
        return refused(error);
      }
      return {
        ...(problems.errors.length
          ? { error: faults(problems.errors) }
          : { importSpec: spec, fileItem: files.map(fileItem) }),
        ...(problems.warnings.length ? { warning: faults(problems.warnings) } : {}),
      };
    },
    ParseDescriptor(_call, args): Value {
      let ovf: OvfDescriptor;
      try {
        ovf = readDescriptor(text(args, 'ovfDescriptor') ?? '');
      } catch (error) {
        return {
          ...refused(error),
          annotation: '',
          defaultEntityName: '',
          virtualApp: false,
          defaultDeploymentOption: '',
        };
      }
      const first = ovf.collection ?? ovf.systems[0];
      return {
        eula: ovf.systems.flatMap((one) => one.eulas),
        network: ovf.networks,
        property: first?.properties ?? [],
        productInfo: first?.products[0],
        annotation: first?.annotation ?? '',
        approximateDownloadSize: [...ovf.files.values()].reduce((sum, one) => sum + (one.size ?? 0), 0),
        approximateFlatDeploymentSize: [...ovf.disks.values()].reduce((sum, one) => sum + one.capacityBytes, 0),
        approximateSparseDeploymentSize: -1,
        defaultEntityName: first?.name ?? '',
        virtualApp: ovf.collection !== undefined,
        defaultDeploymentOption: '',
        entityName: ovf.systems.map((one) => ({ key: one.id, value: one.name })),
      };
    },
    ValidateHost(call, args): Value {
      let ovf: OvfDescriptor;
      try {
        ovf = readDescriptor(text(args, 'ovfDescriptor') ?? '');
      } catch (error) {
        return refused(error);
      }
      call.lab.get('HostSystem', (args.host as Ref).id);
      return {
        downloadSize: [...ovf.files.values()].reduce((sum, one) => sum + (one.size ?? 0), 0),
        flatDeploymentSize: [...ovf.disks.values()].reduce((sum, one) => sum + one.capacityBytes, 0),
        sparseDeploymentSize: -1,
        supportedDiskProvisioning: ['thin', 'thick', 'eagerZeroedThick'],
      };
    },
    CreateDescriptor: (call, args): Value => createDescriptor(call.lab, args),
  },
);
