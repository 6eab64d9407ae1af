import { z } from 'zod';

/** The ISPB of a participant of Pix. */
const ISPB = /^[0-9]{8}$/;

const ispb = z.string().regex(ISPB, 'must be eight digits');

/** The ISPB of a path. */
export const ispbOf = z.strictObject({ ispb });

/** The number of messages of a path: `most` at most, and that has seven digits at most. */
export function numberUpTo(most: number) {
  const wanted = `must be a whole number from 1 to ${most}`;
  const number = z
    .string()
    .regex(/^[1-9][0-9]{0,6}$/, wanted)
    .transform(Number)
    .refine((value) => value <= most, wanted);
  return z.strictObject({ number });
}

const party = z.strictObject({
  nome: z.string().meta({ example: 'Ana Gomes' }),
  cpfCnpj: z.string().meta({ example: '52998224725' }),
  ispb: z.string().meta({ example: '32074986' }),
  agencia: z.string().meta({ example: '0361' }),
  contaTransacional: z.string().meta({ example: '1210098' }),
  tipoConta: z.string().meta({ description: '`CACC`, `SVGS`, `SLRY` or `TRAN`.', example: 'CACC' }),
});

/** A message, in the words of Pix. */
const pixMessage = z.strictObject({
  endToEndId: z.string().meta({ example: 'E00038166201907261559y6j6mt9l0pi' }),
  valor: z.number().meta({ description: 'In BRL, with two decimals at most.', example: 90.2 }),
  pagador: party,
  recebedor: party,
  campoLivre: z.string().meta({ example: '' }),
  txId: z.string().meta({ example: 'h7a786d8a7s6gd1hgs' }),
  dataHoraPagamento: z.iso.datetime().meta({ example: '2026-11-24T12:00:00.000Z' }),
});

/** What an answer brings: one message, or a list to a collector that accepts `multipart/json`. */
export const collected = z.union([pixMessage, z.array(pixMessage).min(1).max(10)]);

/** The messages that were made. */
export const madeMessages = z.strictObject({
  ispb: z.string().meta({ example: '32074986' }),
  number: z.int().meta({ example: 5 }),
});
