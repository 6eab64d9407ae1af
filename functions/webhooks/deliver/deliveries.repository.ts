import { Injectable } from '@nestjs/common';

/** The statements of the sender: claims, what to send, how attempts ended. */
@Injectable()
export class DeliveriesRepository {}
