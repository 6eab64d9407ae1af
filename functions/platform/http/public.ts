import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';
import type { Config } from '../config.js';

/** The metadata key that opens a route: when, by the configuration. */
export const PUBLIC = 'disparo:public';

/** Whether a route that may be public is. */
export type PublicWhen = (config: Config) => boolean;

/** Opens a route or a controller to callers without a login, in OpenAPI under every configuration. */
export const Public = (when: PublicWhen = () => true): ClassDecorator & MethodDecorator =>
  applyDecorators(SetMetadata(PUBLIC, when), ApiSecurity({}));
