# Finds the system libraries; a missing one is one line that names its package.
find_package(PkgConfig)
if(NOT PkgConfig_FOUND)
  message(FATAL_ERROR "barewire: pkg-config is missing: apt install pkg-config | dnf install pkgconf | brew install pkgconf")
endif()

function(barewire_library target what debian fedora homebrew)
  foreach(name IN LISTS ARGN)
    pkg_check_modules(${target} QUIET IMPORTED_TARGET GLOBAL ${name})
    if(${target}_FOUND)
      add_library(barewire::${target} ALIAS PkgConfig::${target})
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "barewire: ${what} is missing: apt install ${debian} | dnf install ${fedora} | brew install ${homebrew}")
endfunction()

barewire_library(mongoc libmongoc libmongoc-dev mongo-c-driver-devel mongo-c-driver mongoc2 libmongoc-1.0)
barewire_library(xxhash xxHash libxxhash-dev xxhash-devel xxhash libxxhash)

# Only the header: libpq is called through pointers that are looked up at run time, never linked.
barewire_library(libpq "libpq's header" libpq-dev libpq-devel libpq libpq)
add_library(barewire_libpq_header INTERFACE)
target_include_directories(barewire_libpq_header SYSTEM INTERFACE ${libpq_INCLUDE_DIRS})
add_library(barewire::libpq_header ALIAS barewire_libpq_header)

find_path(CATCH_INCLUDE NAMES catch2/catch.hpp catch2/catch_all.hpp)
if(NOT CATCH_INCLUDE)
  message(FATAL_ERROR "barewire: Catch2 is missing: apt install catch2 | dnf install catch2-devel | brew install catch2")
endif()
