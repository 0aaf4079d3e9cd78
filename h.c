#include "mapengine.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static double now(void){struct timespec t; clock_gettime(CLOCK_MONOTONIC,&t); return t.tv_sec*1e9+t.tv_nsec;}
int main(int c,char**v){
  int n=atoi(v[1]); const char*what=v[2];
  void*h=dlopen("./w.so",RTLD_NOW);
  mape_pool_config cfg=MAPE_POOL_CONFIG_INIT; cfg.workers=2; mape_pool*p; if(mape_pool_create(&p,&cfg)){puts("create");return 1;}
  mape_function f=MAPE_FUNCTION_INIT; f.run=(mape_run_fn)dlsym(h,"run_square"); mape_function_id id; if(mape_register(p,&f,&id)){char b[300];mape_message(p,b,300);puts(b);return 1;}
  if(mape_pool_start(p,-1)){puts("start");return 1;}
  unsigned long x=3; 
  for(int r=0;r<5;r++){
    double t=now();
    if(what[0]=='a') for(int i=0;i<n;i++){ mape_job*j; mape_apply(p,id,&x,8,NULL,&j); mape_job_wait(j,-1); mape_job_release(j);} 
    else if(what[0]=='m'){ unsigned long*a=calloc(n,8); mape_items it=MAPE_ITEMS_INIT; it.base=a; it.count=n; it.item_size=8; mape_job*j; mape_map(p,id,&it,NULL,&j); mape_job_wait(j,-1); unsigned long miss; mape_job_gather(j,a,n*8ul,8,&miss); mape_job_release(j); free(a);} 
    else { mape_job**js=malloc(sizeof*js*n); for(int i=0;i<n;i++) mape_apply(p,id,&x,8,NULL,&js[i]); for(int i=0;i<n;i++){mape_job_wait(js[i],-1); mape_job_release(js[i]);} free(js);} 
    t=now()-t; printf("%s %.1f ns\n",what,t/n);
  }
  mape_pool_destroy(p);
}
