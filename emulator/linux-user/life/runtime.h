// What the guest's threads run on: the accelerator's instance, and the parts that a program joins.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emulator/linux-user/cpu.h"
#include "emulator/linux-user/process.h"
#include "weft/accel.h"

namespace weft::user {

class Debugger;

// Constant while the guest runs; what it refers to outlives its threads.
struct Runtime {
    const AccelOps& accel;
    const ProcessOps& ops;
    AccelInstance* instance;
    void* guest_object;  // StateHeader::guest of each vCPU
    std::function<std::unique_ptr<Cpu>(void* state)> make_cpu;
    Process& process;
    Debugger* debugger = nullptr;  // null: there is none
    // What execve of a program for the guest's CPU runs: weft itself, with the options that it was given.
    std::string own_path;
    std::vector<std::string> own_options;
    bool comes_back;  // RunSettings
};

}  // namespace weft::user
