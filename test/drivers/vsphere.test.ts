import { conformance } from './conformance.ts';
import { startVcenterWorld } from './vcenter-world.ts';

conformance('vsphere, against the lab vCenter', startVcenterWorld);
