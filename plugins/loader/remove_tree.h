/* Removes a directory and what is in it; follows no symbolic link. What cannot be removed stays. */
#ifndef LOADER_REMOVE_TREE_H
#define LOADER_REMOVE_TREE_H

#define REMOVE_TREE_DEPTH_MAX 16u

void remove_tree(const char *path);

#endif
