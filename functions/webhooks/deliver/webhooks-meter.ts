import { Injectable } from '@nestjs/common';

/** Counts attempts. */
@Injectable()
export class WebhooksMeter {}
