#include "link.h"
#include "server.h"

int main(void);

int main(void) {
    link_open();
    server_run();
    return 0;
}
