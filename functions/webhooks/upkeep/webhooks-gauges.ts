import { Injectable } from '@nestjs/common';

/** What a scrape asks of webhooks. */
@Injectable()
export class WebhooksGauges {}
