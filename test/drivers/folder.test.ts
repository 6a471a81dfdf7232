import { conformance } from './conformance.ts';
import { startFolderWorld } from './folder-world.ts';

conformance('folder, with packages for one node', startFolderWorld);
