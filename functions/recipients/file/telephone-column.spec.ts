import { describe, expect, it } from 'vitest';
import { namesOtherDigits, telephoneColumn, telephoneRank } from './telephone-column.js';

describe('a name says telephone', () => {
  it.each([
    ...[
      'telefone',
      'TELEFONE',
      'Teléfono',
      'phone',
      'Phone Number',
      'phoneNumber',
      'phone_number',
      'fone',
      'Tel.',
      'tel',
    ],
    ...[
      'celular',
      'Cel',
      'móvel',
      'móvil',
      'mobile',
      'WhatsApp',
      'whats',
      'zap',
      'número',
      'Nº do celular',
      'numero de telefone',
    ],
    ...[
      'numerotelefone',
      'TelCelular',
      'telefone 1',
      'telefone1',
      'Telefone (com DDD)',
      'DDD + Telefone',
      'contato',
      'telemóvel',
    ],
    ...['telefone do cliente', '\u200btelefone', 'TELE\u0301FONO', 'Fone/WhatsApp', 'cellphone', 'mobile phone'],
  ])('%s', (name) => {
    expect(telephoneRank(name)).toBeGreaterThan(0);
  });

  it.each([
    ...[
      'hotel',
      'cpf',
      'nome',
      'tipo de telefone',
      'operadora celular',
      'tem whatsapp',
      'e-mail',
      'numero da casa',
      'celestial',
    ],
    ...[
      'número do pedido',
      'nome do contato',
      'id_celular',
      'data do telefone',
      'telhado',
      'ddd',
      '',
      '123',
      'zap'.repeat(30),
    ],
  ])('or does not: %s', (name) => {
    expect(telephoneRank(name)).toBe(0);
  });
});

describe('of several columns', () => {
  it.each([
    [['telefone', 'celular'], 1],
    [['numero', 'telefone'], 1],
    [['contato', 'numero'], 1],
    [['telefone fixo', 'telefone'], 1],
    [['ddd celular', 'celular'], 1],
    [['celular', 'whatsapp'], 0],
    [['telefone 2', 'telefone 1'], 0],
    [['nome', 'cpf'], -1],
  ])('%j takes the one that says it most surely', (names, index) => {
    expect(telephoneColumn(names)).toBe(index);
  });
});

it('a name may say that its digits are others', () => {
  expect(['CPF', 'Código', 'Data de nascimento', 'id cliente'].every(namesOtherDigits)).toBe(true);
  expect(['nome', 'lista', 'telefone', 'contatos'].some(namesOtherDigits)).toBe(false);
});
