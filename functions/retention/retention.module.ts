import { Module } from '@nestjs/common';
import { Retention } from './retention.js';

/**
 * How long personal data is kept, and how that of one person is deleted. It has no HTTP routes: an operator's command runs
 * it.
 */
@Module({ providers: [Retention], exports: [Retention] })
export class RetentionModule {}
