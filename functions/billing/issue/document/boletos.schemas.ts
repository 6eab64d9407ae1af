import { z } from 'zod';

/** What is needed to pay a boleto. */
export const boletoJson = z.strictObject({
  barcode: z.string().meta({ description: '44 digits.', example: '99991913601000000001700000100000000000000001' }),
  digitable_line: z
    .string()
    .meta({ description: '47 digits, to be typed.', example: '99991700050010000000900000000018191360100000000' }),
  digitable_line_formatted: z.string().meta({
    description: 'The same as it is printed.',
    example: '99991.70005 00100.000009 00000.000018 1 91360100000000',
  }),
  pix_copy_paste: z.string().meta({
    description: 'The Pix code, the text of the QR code.',
    example:
      '00020126360014br.gov.bcb.pix01141234567800019552040000530398654101000000.005802BR5916EMPRESA FICTICIA6009SAO PAULO622905251L8ND9OX4A0AYZM0RC57275ZJ63043501',
  }),
  txid: z.string().meta({ description: 'Its identification in Pix.', example: '1L8ND9OX4A0AYZM0RC57275ZJ' }),
  due_on: z.iso.date().meta({ description: 'When it is due.', example: '2022-10-12' }),
  amount: z.string().meta({ description: 'In reais, a text with two decimals.', example: '1000000.00' }),
  notice: z.string().optional().meta({
    description: 'While the bank is simulated: that nobody can pay by it.',
    example: 'EXEMPLO, SEM VALOR DE PAGAMENTO',
  }),
});
export type BoletoJson = z.output<typeof boletoJson>;
