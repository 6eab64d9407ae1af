import { MemoryRegistry } from '../../events/registry/memory-registry.js';
import { Registry } from '../../events/registry/registered.js';
import { RegistryRepository } from '../../events/registry/registry.repository.js';
import type { Session } from '../simulation/session.js';

export function registryOn(session: Session): Registry {
  return new MemoryRegistry(session.postgres, new RegistryRepository());
}
