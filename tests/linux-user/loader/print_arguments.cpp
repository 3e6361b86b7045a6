// Prints its arguments, each on a line of its own with the number of its characters.
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
    for (int i = 0; i < argc; ++i) {
        std::printf("%zu %s\n", std::strlen(argv[i]), argv[i]);
    }
    return 0;
}
