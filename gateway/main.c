/* main: the program drawbridge.  Everything it can do is a row of the table in commands.c; nothing
 * else is here, so that tests link all of the code. */
#include "gateway/commands.h"

int main(int argc, char **argv)
{
    return commands_run(argc, argv);
}
