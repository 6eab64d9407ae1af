import { Injectable } from '@nestjs/common';

/** The statements on endpoints for those who keep them. */
@Injectable()
export class EndpointsRepository {}
