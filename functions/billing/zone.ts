/** Whose calendar it is: when a debt is overdue, when a boleto is issued, what day a report begins. A name of the IANA database. */
export const ZONE = 'America/Sao_Paulo';
