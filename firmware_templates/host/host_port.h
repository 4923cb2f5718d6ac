/* What the host's main tells its port; the port itself is ek_port.h. */
#ifndef HOST_PORT_H
#define HOST_PORT_H

#include <stdbool.h>

/* Serve a new pseudo-terminal instead of stdin and stdout. Call before ek_app_init. */
void host_port_use_pty(void);

/* Whether ek_port_read would return at once. */
bool host_port_pending(void);

#endif
