/* Carries out the host's requests: fill ports, run the network, read ports, look at each step. */
#ifndef SERVER_H
#define SERVER_H

#include <stdint.h>

void server_run(void);

/* Answers the current request and all later ones with the fault. */
void server_report_fault(const uint32_t *registers, uint32_t count);

#endif
