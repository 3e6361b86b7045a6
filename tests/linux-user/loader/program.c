/* A program with each kind of section: the tests look at how it is loaded, and never run it. */
#include <stdio.h>

static char zeros[3 * 4096 + 5];
static int data[1000] = {1, 2, 3};
static const char *volatile relocated = "relocated";
_Thread_local int of_thread = 7;

int main(int argc, char **argv) {
    zeros[argc] = 1;
    data[argc] = zeros[2] + of_thread;
    printf("%s %d %s\n", argv[0], data[1], relocated);
    return 0;
}
