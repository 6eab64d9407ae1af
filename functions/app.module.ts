import { type DynamicModule, Module } from '@nestjs/common';
import { AccountsModule } from './accounts/accounts.module.js';
import { BillingModule } from './billing/billing.module.js';
import { CampaignsModule } from './campaigns/campaigns.module.js';
import { ContactsModule } from './contacts/contacts.module.js';
import { EventsModule } from './events/events.module.js';
import { PixModule } from './pix/pix.module.js';
import type { Config } from './platform/config.js';
import { PlatformModule } from './platform/platform.module.js';
import type { Runtime } from './platform/runtime.js';
import type { Log } from './platform/telemetry/log.js';
import { RetentionModule } from './retention/retention.module.js';
import { UploadsModule } from './uploads/uploads.module.js';
import { WebhooksModule } from './webhooks/webhooks.module.js';

/** The modules of the app; a new one is one more line here. */
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: Nest's own form of a module with parameters
export class AppModule {
  static for(config: Config, runtime: Runtime, log: Log): DynamicModule {
    return {
      module: AppModule,
      imports: [
        PlatformModule.for(config, runtime, log),
        AccountsModule,
        CampaignsModule,
        UploadsModule,
        RetentionModule,
        ContactsModule,
        EventsModule,
        WebhooksModule,
        PixModule,
        BillingModule,
      ],
    };
  }
}
