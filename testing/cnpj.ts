const FIRST_WEIGHTS = [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
const SECOND_WEIGHTS = [6, ...FIRST_WEIGHTS];

/** A CNPJ of 14 digits that passes the check of its last two (Receita Federal: modulo 11); it belongs to nobody known to us. */
export function someCnpj(): string {
  const digits = FIRST_WEIGHTS.map(() => Math.floor(Math.random() * 10));
  for (const weights of [FIRST_WEIGHTS, SECOND_WEIGHTS]) digits.push(checkDigit(digits, weights));
  return digits.join('');
}

function checkDigit(digits: number[], weights: number[]): number {
  const rest = weights.reduce((sum, weight, index) => sum + weight * (digits[index] ?? 0), 0) % 11;
  return rest < 2 ? 0 : 11 - rest;
}
