/** The three services, by the name of their compose service and data folder. */
export type ServiceName = 'postgres' | 'mongodb' | 'rabbitmq';

/** The variable that holds a service's URL. */
export type Variable = 'DATABASE_URL' | 'MONGODB_URL' | 'RABBITMQ_URL';

/** Prints one line for the person at the terminal. */
export type Say = (line: string) => void;
