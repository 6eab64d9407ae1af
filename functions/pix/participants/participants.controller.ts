import { Controller, Delete, HttpCode, Param, Put, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NoteCompany } from '../../accounts/companies/note-company.js';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { Describe } from '../../platform/http/describe.js';
import { parseWith } from '../../platform/http/validation.js';
import { ispbOf } from '../pix.schemas.js';
import { BindIspb } from './bind-ispb.js';
import { PARTICIPANT_ROUTES } from './participants.openapi.js';
import type { BoundIspb } from './participants.schemas.js';

const Ispb = (): ParameterDecorator => Param('ispb', { transform: (ispb: string) => parseWith(ispbOf, { ispb }).ispb });

/** The routes by which owners bind ISPBs to their company. */
@ApiTags('pix')
@UseInterceptors(NoteCompany)
@Controller('companies')
export class ParticipantsController {
  constructor(private readonly binding: BindIspb) {}

  @Put(':id/pix/:ispb')
  @HttpCode(201)
  @Describe(PARTICIPANT_ROUTES.bind)
  bind(@CurrentUser() me: SignedInUser, @Param('id') id: string, @Ispb() ispb: string): Promise<BoundIspb> {
    return this.binding.bind(me.id, id, ispb);
  }

  @Delete(':id/pix/:ispb')
  @HttpCode(204)
  @Describe(PARTICIPANT_ROUTES.unbind)
  unbind(@CurrentUser() me: SignedInUser, @Param('id') id: string, @Ispb() ispb: string): Promise<void> {
    return this.binding.unbind(me.id, id, ispb);
  }
}
