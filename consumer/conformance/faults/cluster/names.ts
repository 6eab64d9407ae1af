/** What is done to a cluster in the middle of a drain, by the name that `--case` takes. */
export const CLUSTER_CASES = {
  'quorum-leader': 'the leader of a quorum queue killed, not brought back',
  'classic-node': 'the node of a classic queue killed, brought back after 5 s',
  partition: 'the leader of a quorum queue cut off from the others for 10 s',
  'mongodb-primary': 'the primary of the replica set killed, not brought back',
  'postgres-standby': 'PostgreSQL killed, its standby promoted, under uploads',
} as const;

/** The name of a cluster case. */
export type ClusterCase = keyof typeof CLUSTER_CASES;

/** A line of the table that the command ends with. */
export interface ClusterResult {
  name: ClusterCase;
  language: string;
  /** From the kill until the last campaign was `enviado`. */
  seconds: number;
  exact: boolean;
}
