import { Module } from '@nestjs/common';
import { Retention } from './retention.js';

/** How long personal data is kept, and how that of one person goes. It answers no route: an operator's command runs it. */
@Module({ providers: [Retention], exports: [Retention] })
export class RetentionModule {}
