// Command pack writes a module's zip as a module proxy would serve it: `pack MODULE-FOLDER VERSION OUT-FOLDER`.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: pack MODULE-FOLDER VERSION OUT-FOLDER")
	}
	path, err := pack(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(path)
}

// pack writes the zip of the module in a folder and returns its path.
func pack(folder, version, out string) (path string, err error) {
	description, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return "", err
	}
	this := module.Version{Path: modfile.ModulePath(description), Version: version}
	path = filepath.Join(out, filepath.Base(this.Path)+"@"+version+".zip")
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() {
		if closing := file.Close(); err == nil {
			err = closing
		}
	}()
	return path, zip.CreateFromDir(file, this, folder)
}
