import { Injectable } from '@nestjs/common';

/** Where the events of a company go. */
@Injectable()
export class Endpoints {}
