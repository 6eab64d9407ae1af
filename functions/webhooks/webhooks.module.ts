import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { EventsModule } from '../events/events.module.js';
import { Duties } from '../platform/duties.js';
import { Loops } from '../platform/loops.js';
import { DeliverOne } from './deliver/deliver-one.js';
import { DeliverWebhooks } from './deliver/deliver-webhooks.js';
import { DeliveriesRepository } from './deliver/deliveries.repository.js';
import { Outage } from './deliver/outage.js';
import { SendWebhook } from './deliver/request/send.js';
import { WebhooksMeter } from './deliver/webhooks-meter.js';
import { EndpointsController } from './endpoints/endpoints.controller.js';
import { Endpoints } from './endpoints/endpoints.js';
import { EndpointsRepository } from './endpoints/endpoints.repository.js';
import { Replay } from './endpoints/replay.js';
import { ReplayRepository } from './endpoints/replay.repository.js';
import { WebhooksUpkeepRepository } from './upkeep/upkeep.repository.js';
import { WebhooksGauges } from './upkeep/webhooks-gauges.js';
import { WebhooksRetention } from './upkeep/webhooks-retention.js';

const RETENTION_EVERY_MS = 60_000;

const ENDPOINTS = [EndpointsRepository, Endpoints, ReplayRepository, Replay];
const DELIVER = [DeliveriesRepository, SendWebhook, WebhooksMeter, Outage, DeliverOne, DeliverWebhooks];
const UPKEEP = [WebhooksUpkeepRepository, WebhooksGauges, WebhooksRetention];

/** Endpoints of companies, and how events come to them. Needs PostgreSQL alone. */
@Module({
  imports: [AccountsModule, EventsModule],
  controllers: [EndpointsController],
  providers: [...ENDPOINTS, ...DELIVER, ...UPKEEP],
  exports: [DeliverWebhooks],
})
export class WebhooksModule {
  constructor(duties: Duties, loops: Loops, deliver: DeliverWebhooks, retention: WebhooksRetention) {
    loops.add({ name: 'webhooks', run: (stop) => deliver.loop(stop) });
    duties.add({ name: 'webhooks-retention', everyMs: RETENTION_EVERY_MS, run: (stop) => retention.sweep(stop) });
  }
}
