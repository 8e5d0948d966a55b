# What a module and an application use of Zephyr: options from prj.conf, modules, the target `app`, and libraries.
cmake_minimum_required(VERSION 3.13)
project(stand_in_for_zephyr C)

file(STRINGS "${CMAKE_CURRENT_SOURCE_DIR}/prj.conf" settings REGEX "^CONFIG_")
foreach(setting ${settings})
  string(REGEX MATCH "^([^=]+)=(.*)$" matched "${setting}")
  set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
endforeach()

add_executable(app)
add_library(zephyr_interface INTERFACE)
target_link_libraries(app PRIVATE zephyr_interface)

macro(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name})
  add_library(${name} STATIC "")
  target_link_libraries(${name} PUBLIC zephyr_interface)
  target_link_libraries(app PRIVATE ${name})
endmacro()

function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()

function(zephyr_include_directories)
  target_include_directories(zephyr_interface INTERFACE ${ARGN})
endfunction()

foreach(module ${ZEPHYR_EXTRA_MODULES})
  file(STRINGS "${module}/zephyr/module.yml" cmake REGEX "^  cmake: ")
  string(REPLACE "  cmake: " "" cmake "${cmake}")
  get_filename_component(path "${module}/${cmake}" ABSOLUTE)
  string(MD5 place "${path}")
  add_subdirectory("${path}" "modules/${place}")
endforeach()
