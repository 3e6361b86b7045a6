// Runs a program and looks at what it says: for tests of whole programs.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace weft::test {

struct Command {
    std::vector<std::string> arguments;                            // the program's path first
    std::string input;                                             // its standard input
    std::vector<std::pair<std::string, std::string>> environment;  // added to this process's
    unsigned timeout_seconds = 60;  // it is killed then: a test that hangs fails
};

struct Outcome {
    int exit_code = -1;  // of a normal end
    int signal = 0;      // that ended it; SIGKILL after a timeout
    bool timed_out = false;
    std::string output;  // standard output
    std::string errors;  // standard error
};

// A program that runs beside the test. Killed if the test leaves it behind.
class Process {
  public:
    // Starts it with these descriptors as its standard ones; they stay open here. Aborts where the host cannot.
    Process(const std::vector<std::string>& arguments,
            const std::vector<std::pair<std::string, std::string>>& environment, int input, int output,
            int errors);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void kill(int signal) const;
    // Waits for its end; fills exit_code and signal.
    void wait(Outcome& outcome);

  private:
    int pid_ = -1;
};

// Runs the command to its end. Aborts where the host cannot start processes.
Outcome run(const Command& command);

// A fresh folder, removed with all it contains.
class TempDir {
  public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    // Writes a file there and returns its path.
    std::string write(const std::string& name, const std::string& contents) const;

  private:
    std::string path_;
};

std::string read_file(const std::string& path);
bool exists(const std::string& path);

}  // namespace weft::test
